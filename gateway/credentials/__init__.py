"""How a provider is told who calls: static headers, AWS signatures, and access tokens that are fetched and kept."""
