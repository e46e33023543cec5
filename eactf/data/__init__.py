"""Data sets: reading, checking, splitting, label noise, and feeding them to TensorFlow."""
