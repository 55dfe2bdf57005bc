"""Long programs: traced once, kept by whoever has a place for them, and loaded by later processes without being traced."""

from brainworth.models.programs.program import Program, Store, keep_programs_in, programs_kept_in

__all__ = ["Program", "Store", "keep_programs_in", "programs_kept_in"]
