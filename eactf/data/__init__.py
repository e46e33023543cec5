"""What a training run reads: a data set prepared, split, and fed to TensorFlow batch by batch."""
