"""What is on a certificate besides its text: seals, borders, paper, portraits, QR codes."""
