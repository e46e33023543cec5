"""This package prepares what a training run reads: the data set, its splits and its batches."""
