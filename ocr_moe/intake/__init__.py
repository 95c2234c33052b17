"""From paths to righted pages: files, images, orientation, seals, watermarks."""
