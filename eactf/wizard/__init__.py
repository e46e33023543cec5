"""The wizard: a fingerprint of the data, a few questions, a plan with reasons, the next command.

Imports no TensorFlow: what needs it (a timed training step, the noise estimate) runs as a command.
"""
