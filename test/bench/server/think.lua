-- For wrk: each client thinks before it asks again, for a random time with the mean of THINK_MS, as independent
-- clients do, so that requests come at any time and not in step. TURNS=1 sends what post.lua sends.
if os.getenv("TURNS") then dofile(debug.getinfo(1, "S").source:match("@(.*)think.lua$") .. "post.lua") end
local mean = tonumber(os.getenv("THINK_MS"))
local threads = 0

function setup(thread)
    threads = threads + 1
    thread:set("seed", threads)
end

function init()
    math.randomseed(seed)
end

function delay()
    return math.floor(-mean * math.log(1 - math.random()) + 0.5)
end
