"""`Network` and its parts: handles on something that runs, or will."""
