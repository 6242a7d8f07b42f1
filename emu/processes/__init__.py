"""Programs in nodes: started, kept, watched, awaited, at a terminal."""
