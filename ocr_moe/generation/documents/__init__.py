"""What documents of each kind say: people and businesses that do not exist. One module a kind."""
