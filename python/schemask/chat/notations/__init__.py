"""Notations of arguments: one file each, which writes, reads, allows and describes them."""
