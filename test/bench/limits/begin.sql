SELECT status FROM agent.begin_turn(:token, '{"model": "m", "max_tokens": 100, "messages": [{"role": "user", "content": "x"}]}') \gset
