"""A chat server that speaks the OpenAI protocol: vLLM, llama.cpp, Ollama, DashScope, OpenAI, …."""
