-- For wrk: a turn without a session, so that each is as long as the last.
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"model":"m","max_tokens":100,"messages":[{"role":"user","content":"a question of about ten tokens, more or less"}]}'
