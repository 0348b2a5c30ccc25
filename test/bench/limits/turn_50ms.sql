SELECT body ->> 'ticket' AS ticket FROM agent.begin_turn(:token, '{"model": "m", "max_tokens": 100, "messages": [{"role": "user", "content": "x"}]}') \gset
\sleep 50 ms
SELECT status FROM agent.end_turn(:ticket, '{"status": "ok", "model": "m", "message": {"role": "assistant", "content": "y"}, "usage": {"prompt_tokens": 5, "completion_tokens": 50}}') \gset
