"""The experts `vision` and `ocr_text`: language models are asked."""
