"""What goes into a network: images, numbers or tokens, from a file or a request to arrays of one shape.

An :class:`~fortydays.inputs.input.Input` says once which arrays there are. They are the files of a cached dataset, the
inputs of the ONNX file and the tensors of the inference protocol. No other room asks which kind of input it has.
"""
