"""What a `DreamGenerator` does with a trained model, by kind of verb."""
