"""Composition: open everything, one TaskGroup, serve, leave in order."""
