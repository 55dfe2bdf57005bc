"""A pilot: read from files, folders, tables and objects in memory, and checked."""
