"""The keeper: the process inside a sandbox. Its modules import nothing but the standard library."""
