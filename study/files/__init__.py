"""The files of a study folder: written, read and checked."""
