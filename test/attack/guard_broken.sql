-- The accident of guard_floor.sql, by a superuser.
ALTER POLICY tenant_wall ON shop.bookings USING (true) WITH CHECK (true);
ALTER TABLE shop.entries DISABLE ROW LEVEL SECURITY;
