// Who may log in, as the server last told.
import { signal } from '@preact/signals';
import { api, ok, type Schemas } from '../../api/client';

export type User = Schemas['UserView'];
export type UserRole = Schemas['UserRole'];
export const ROLES: UserRole[] = ['agent', 'supervisor', 'operator', 'admin'];

export const users = signal<User[] | null>(null);

export async function readUsers() {
  users.value = (await ok(api.GET('/users'))).users;
}
