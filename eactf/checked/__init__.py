"""This package has a person check a drawn part of the labels: pictures, answers, what they say."""
