"""The service: a bundle behind a web page and an API, on ONNX Runtime. Imports no training framework."""
