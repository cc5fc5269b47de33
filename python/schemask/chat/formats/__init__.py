"""The formats of families of models, a file each."""
