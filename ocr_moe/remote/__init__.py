"""Files behind URLs: object stores and the like, through fsspec."""
