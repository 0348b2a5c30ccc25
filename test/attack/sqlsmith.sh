attack_sqlsmith() { :; }
