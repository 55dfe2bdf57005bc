"""What we decide, and everything that touches the outside world: files, solvers, figures, the command line."""

if __name__ != "brainworth.design":
    raise ImportError("Import this package as 'brainworth.design', not as 'design': a second copy would be loaded.")
