"""Transforms of graphs: forward, reverse, batching."""
