"""From a pilot to its posterior, its archive, and its backtest."""
