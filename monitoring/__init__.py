"""What a run shows: event files for TensorBoard, a history, the terminal."""
