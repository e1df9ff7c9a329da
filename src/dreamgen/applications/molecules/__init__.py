"""What a model of molecules is for: to improve them."""
