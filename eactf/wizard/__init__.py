"""The wizard looks at the user's images, asks a few questions and writes a recipe with reasons.

It imports no TensorFlow: what needs it (a timed training step, the noise estimate) runs as a
command.
"""
