"""What we believe: pure JAX and NumPy, no files, no plots, no solver, no printing."""

if __name__ != "brainworth.models":
    raise ImportError("Import this package as 'brainworth.models', not as 'models': a second copy would be loaded.")

import jax

jax.config.update("jax_enable_x64", True)  # noqa: FBT003  (signature of JAX)
