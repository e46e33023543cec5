"""This package reads users' files, in whatever form people have them, and makes one packed file.

::

    sources/     the doors: folders, tables, arrays, HDF5; each gives a `Listing`
    readers/     the doors of published data sets (FERPlus, RAF-DB, CIFAR, ...)
    listing      what a door found: one entry an image, with its label, split and votes
    scan         every file of a listing, opened and measured once
    checks/      what is wrong with the images, the labels and their copies
    decode       a file's bytes to an array of pixels, within bounds
    packing      a listing to one packed file
    fingerprint  the data set described in numbers, for the wizard
"""

import os

# Pillow takes the memory for an image in blocks, and reads this when it is imported. The usual
# blocks of 16 MB are small enough for glibc to keep them for the thread that had them, so that
# every thread ends up holding what its largest image took; blocks of 64 MB it gives back.
os.environ.setdefault("PILLOW_BLOCK_SIZE", "64m")
