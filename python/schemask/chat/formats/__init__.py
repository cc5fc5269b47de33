"""Formats as data: one file for each family of models; `schemask.chat.catalog` lists them."""
