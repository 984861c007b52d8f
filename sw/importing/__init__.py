"""Reading networks that come from other toolkits, in the files that these write.

:mod:`.onnx` reads ONNX files as torch models.
"""
