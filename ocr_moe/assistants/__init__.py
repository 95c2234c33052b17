"""What assistants are offered over the Model Context Protocol."""
