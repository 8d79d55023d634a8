"""Coming from Dynamo: its names explained, its projects imported, results laid out as it would."""
