"""Formats: a class for each takes a file apart, damages what is inside, and writes it again.

``base`` has the family and plain bytes; ``texts`` JSON and TOML; ``sealed`` safetensors files with
a digest, and manifests; ``arrays`` npy, npz and gzip; ``link`` frames; ``graphs`` HDF5 and ONNX.
"""
