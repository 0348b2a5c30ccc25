# Compiles the extension and the server with clang and every warning an error (the ordinary build does so
# with gcc), into a directory of its own; build.sh counts what came out.

OUT := build/check/clang
CXX := clang++-14

# Only clang finds code that would run when the module is loaded or the backend exits.
EXTENSION_WARNINGS = -Wglobal-constructors -Wexit-time-destructors
COMMON = -std=c++20 -O2 -g -fPIC -MMD -MP -Iextension -Wall -Wextra -Wshadow -Wconversion -Wno-register -Werror

SERVER_PACKAGES := libpq cpp-httplib yaml-cpp spdlog hiredis openssl
FLAGS_core   := $(EXTENSION_WARNINGS)
FLAGS_pg     := $(EXTENSION_WARNINGS) -isystem $(shell $(PG_CONFIG) --includedir-server)
FLAGS_server := -Iserver $(patsubst -I%,-isystem%,$(shell pkg-config --cflags $(SERVER_PACKAGES)))

objects     = $(patsubst %.cpp,$(OUT)/%.o,$(sort $(wildcard $(1))))
CORE_OBJ   := $(call objects,extension/core/*.cpp)
PG_OBJ     := $(call objects,extension/pg/*.cpp)
SERVER_OBJ := $(call objects,server/*.cpp server/*/*.cpp)

all: $(OUT)/pg_tenancy.so $(OUT)/tenancyd
list:
	@printf '%s\n' $(CORE_OBJ) $(PG_OBJ) $(SERVER_OBJ) $(OUT)/pg_tenancy.so $(OUT)/tenancyd

$(CORE_OBJ): FLAGS = $(FLAGS_core)
$(PG_OBJ): FLAGS = $(FLAGS_pg)
$(SERVER_OBJ): FLAGS = $(FLAGS_server)

$(OUT)/%.o: %.cpp test/run/build.mk
	@mkdir -p $(@D)
	@echo "$(CXX) $<"
	@$(CXX) $(COMMON) $(FLAGS) -c -o $@ $<

$(OUT)/pg_tenancy.so: $(CORE_OBJ) $(PG_OBJ)
	@$(CXX) -shared -o $@ $^ -lcrypto
$(OUT)/tenancyd: $(SERVER_OBJ) $(CORE_OBJ)
	@$(CXX) -o $@ $^ $(shell pkg-config --libs $(SERVER_PACKAGES)) -pthread

-include $(CORE_OBJ:.o=.d) $(PG_OBJ:.o=.d) $(SERVER_OBJ:.o=.d)
.PHONY: all list
