"""The story of the product, told by its behaviour; arranged like the package."""
