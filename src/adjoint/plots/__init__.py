"""Pictures, with Matplotlib: `pip install adjoint[plots]`."""
