"""Jobs out to the miners' queues, and the sweeping-up behind them."""
