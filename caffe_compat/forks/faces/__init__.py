"""Face recognition and retrieval: margins, centers, distances, binary codes."""
