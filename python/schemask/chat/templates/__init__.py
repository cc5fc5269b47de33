"""Chat templates that models bring: rendering by them, and the formats that follow from them."""
