"""From what a program asks for to a lock, wheels and one image; ``build`` makes wheels from source."""
