"""The command line: parses, calls, prints. One module for each family of commands; nothing heavy at import."""
