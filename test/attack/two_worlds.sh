attack_two_worlds() { :; }
